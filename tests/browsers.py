"""What a browser does with a page, without one."""

import re
from typing import Any


def press_sign_in(browser: Any, token: str) -> Any:
    """Open the link's page and press its button; the answer."""
    page = browser.get(f"/sign-in/{token}")
    assert page.status_code == 200, page.text
    visit = re.search(r'name="visit" value="(\w+)"', page.text)
    assert visit is not None
    done = browser.post(f"/sign-in/{token}", data={"visit": visit[1]}, follow_redirects=False)
    assert done.status_code == 303, done.text
    return done
