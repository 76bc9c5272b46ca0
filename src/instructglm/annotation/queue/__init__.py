"""The queue of a project: who annotates what next, saving, rounds, gold items and adjudication.

task = next_task(store, project, person)        # claim.py
save(store, person, task.assignment, answer, key=..., based_on=task.revision)
"""
