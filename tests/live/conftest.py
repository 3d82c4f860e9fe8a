"""A browser for tests of the live page."""

import pytest
from pages import chromium, own_server, wait_for


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(browser):
    with own_server() as server:
        yield server.url


@pytest.fixture
def opened(browser, address):
    """A function that opens the page; a console error or a foreign request fails the test."""
    complaints, contexts = [], []

    def go(url=address, hash="", width=1440, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith(url) or complaints.append(r.url))
        page.goto(url + hash)
        wait_for(page, "Boolean(window.live)")
        return page

    yield go
    for context in contexts:
        context.close()
    assert not complaints
