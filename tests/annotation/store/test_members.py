"""What admins do with people: links by their number, resets, and the last of them."""

import pytest

from instructglm.annotation.queue.leases import remove_person
from instructglm.annotation.store.invitations import accept_invitation, invite
from instructglm.annotation.store.members import list_members, open_invitations, revoke_by_id
from instructglm.annotation.store.people import add_person, change_role, sign_in
from instructglm.annotation.store.projects import (
    add_guideline,
    create_project,
    list_guidelines,
    list_projects,
    rename_project,
)
from instructglm.annotation.store.resets import offer_reset, reset_password
from instructglm.annotation.store.sessions import start_session, whose_session
from instructglm.annotation.store.tables import Role
from instructglm.annotation.store.verify import verify
from instructglm.core.errors import DataError

PASSWORD = "correct horse battery"
OTHER = "a horse of another colour"


def test_who_is_here_is_told_with_whether_they_can_sign_in(store, clock) -> None:
    start = clock.now_ms
    ann, bo = add_person(store, "Ann", Role.ADMIN, PASSWORD), add_person(store, "Bo", Role.ANNOTATOR, PASSWORD)
    clock.advance(5)
    add_person(store, "Cy", Role.ANNOTATOR)
    remove_person(store, bo, by=ann)
    found = [(one.name, one.can_sign_in, one.added_ms - start, one.removed_ms) for one in list_members(store)]
    assert found == [("Ann", True, 0, None), ("Cy", False, 5000, None), ("Bo", False, 0, clock.now_ms)]


def test_an_open_invitation_is_told_with_its_maker_and_can_be_revoked_by_its_number(store, clock) -> None:
    ann = add_person(store, "Ann", Role.ADMIN, PASSWORD)
    made = clock.now_ms
    token = invite(store, Role.REVIEWER, by=ann, valid_s=60)
    used = invite(store, Role.ANNOTATOR, by=ann)
    accept_invitation(store, used, "Bo", PASSWORD)
    (found,) = open_invitations(store)
    assert (found.role, found.invited_by, found.resets) == (Role.REVIEWER, "Ann", None)
    assert (found.made_ms, found.expires_ms) == (made, made + 60_000)
    revoke_by_id(store, found.id, by=ann)
    assert open_invitations(store) == ()
    for again in (lambda: revoke_by_id(store, found.id), lambda: accept_invitation(store, token, "Cy", PASSWORD)):
        with pytest.raises(DataError, match="too old"):
            again()


def test_invitations_that_nobody_can_follow_are_not_told(store, clock) -> None:
    ann = add_person(store, "Ann", Role.ADMIN, PASSWORD)
    invite(store, Role.ANNOTATOR, by=ann)
    invite(store, Role.ANNOTATOR, valid_s=60)
    remove_person(store, ann)
    clock.advance(60)
    assert open_invitations(store) == ()


def test_who_is_no_admin_any_more_lets_nobody_in(store) -> None:
    ann = add_person(store, "Ann", Role.ADMIN, PASSWORD)
    token = invite(store, Role.ADMIN, by=ann)
    change_role(store, ann, Role.ANNOTATOR)
    assert open_invitations(store) == ()
    with pytest.raises(DataError, match="is no admin now"):
        accept_invitation(store, token, "Ann again", PASSWORD)


def test_a_reset_gives_another_password_once_and_signs_out(store) -> None:
    ann, bo = add_person(store, "Ann", Role.ADMIN, PASSWORD), add_person(store, "Bo", Role.ANNOTATOR, PASSWORD)
    session = start_session(store, bo)
    old, token = offer_reset(store, bo, by=ann), offer_reset(store, bo, by=ann)
    assert [one.resets for one in open_invitations(store)] == ["Bo"]
    assert sign_in(store, "Bo", PASSWORD) is not None
    with pytest.raises(DataError, match="expected 10 to 1000"):
        reset_password(store, token, "short")
    assert reset_password(store, token, OTHER) == bo
    assert sign_in(store, "Bo", PASSWORD) is None
    assert sign_in(store, "Bo", OTHER) is not None
    assert whose_session(store, session) is None
    for spent in (old, token):
        with pytest.raises(DataError, match="unknown, used or too old"):
            reset_password(store, spent, PASSWORD)
    assert verify(store).broken is None


def test_a_reset_lets_nobody_in_and_an_invitation_resets_nothing(store) -> None:
    ann = add_person(store, "Ann", Role.ADMIN, PASSWORD)
    with pytest.raises(DataError, match="unknown"):
        accept_invitation(store, offer_reset(store, ann), "Eve", PASSWORD)
    with pytest.raises(DataError, match="unknown"):
        reset_password(store, invite(store, Role.ADMIN), PASSWORD)


def test_who_was_removed_gets_no_other_password(store) -> None:
    ann, bo = add_person(store, "Ann", Role.ADMIN, PASSWORD), add_person(store, "Bo", Role.ANNOTATOR, PASSWORD)
    token = offer_reset(store, bo, by=ann)
    remove_person(store, bo)
    with pytest.raises(DataError, match="Bo was removed"):
        reset_password(store, token, OTHER)
    with pytest.raises(DataError, match="Bo was removed"):
        offer_reset(store, bo)


def test_the_last_admin_stays_one(store) -> None:
    ann = add_person(store, "Ann", Role.ADMIN, PASSWORD)
    add_person(store, "Without a password", Role.ADMIN)
    for attempt in (lambda: remove_person(store, ann, by=ann), lambda: change_role(store, ann, Role.REVIEWER, by=ann)):
        with pytest.raises(DataError, match="the last admin has to stay one"):
            attempt()
    bo = add_person(store, "Bo", Role.ADMIN, PASSWORD)
    change_role(store, ann, Role.REVIEWER, by=bo)
    with pytest.raises(DataError, match="the last admin"):
        remove_person(store, bo, by=bo)
    remove_person(store, bo)  # from the command line, where the next one can be made
    assert list_members(store)[-1].name == "Bo"


def test_a_project_gets_another_name_but_not_that_of_another_one(store) -> None:
    project, _ = create_project(store, "law"), create_project(store, "medicine")
    rename_project(store, project, "law")
    with pytest.raises(DataError, match="already a project named 'medicine'"):
        rename_project(store, project, "medicine")
    rename_project(store, project, "Law of 2026")
    assert [one.name for one in list_projects(store)] == ["Law of 2026", "medicine"]


def test_the_versions_of_a_guideline_are_told_and_nobody_writes_over_another(store, clock) -> None:
    project, ann = create_project(store, "law"), add_person(store, "Ann", Role.ADMIN)
    assert list_guidelines(store, project) == ()
    add_guideline(store, project, "Be kind.", based_on=0, person=ann)
    clock.advance(1)
    add_guideline(store, project, "Be kinder.", based_on=1)
    with pytest.raises(DataError, match="somebody stored version 2 meanwhile; yours is of version 1"):
        add_guideline(store, project, "Be rude.", based_on=1, person=ann)
    newest, first = list_guidelines(store, project)
    assert (newest.version, newest.author, first.version, first.author) == (2, None, 1, "Ann")
    assert newest.at_ms - first.at_ms == 1000
