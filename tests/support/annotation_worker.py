"""A person in a process of their own: takes, saves, and tells on standard output what was acknowledged.

python annotation_worker.py PLACE PROJECT PERSON
"""

import json
import sys
import time

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.drafts import autosave
from instructglm.annotation.queue.save import Saved, save
from instructglm.annotation.queue.tasks import Task
from instructglm.annotation.store import open_store


def main(place: str, project: int, person: int) -> None:
    with open_store(place) as store:
        while True:
            task = next_task(store, project, person)
            if isinstance(task, Task):
                autosave(store, person, task.assignment, {"text": "so far"}, 1)
                key = f"item {task.instruction}"
                done = save(store, person, task.assignment, Answer(label="yes", written=("Because.",)), key=key)
                if isinstance(done, Saved):
                    print(json.dumps({"submission": done.submission, "person": person, "key": key}), flush=True)
            elif task.reason in ("everything is done", "the rest is for others"):
                return  # also where a killed worker has not come back yet: nothing more comes to this one
            else:
                time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
