"""The frame of the pages in a real browser: signing in by the form, and nothing that axe-core calls serious."""

from __future__ import annotations

import pytest
from browsers import PASSWORD, PHONE, serious_faults

from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.projects import create_project
from instructglm.annotation.store.tables import Role


def test_somebody_signs_in_and_is_still_signed_in_after_the_server_died(served, chromium):
    add_person(served.store, "Ann", Role.ANNOTATOR, PASSWORD)
    page = chromium.new_page()
    page.goto(f"{served.url}/")
    page.get_by_label("Name").fill("Ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Projects").wait_for()
    served.kill()
    served.start()
    page.reload()
    assert page.get_by_role("heading", name="Projects").is_visible()
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("shape", [{}, PHONE], ids=["desk", "phone"])
def test_the_first_page_is_for_everybody(theme, shape, served, seat):
    create_project(served.store, "law")
    admin = seat(Role.ADMIN, color_scheme=theme, bypass_csp=True, **shape)
    admin.open("/")
    assert serious_faults(admin.page) == []
    assert admin.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert admin.faults == []
