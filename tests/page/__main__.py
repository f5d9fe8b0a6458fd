"""Take the pictures of docs/images: `python -m tests.page` builds a small company and takes pictures of its page."""

import tempfile
from pathlib import Path

from tests.page import browser, company

IMAGES = company.PROJECT / "docs" / "images"


def main() -> None:
    """Write page-desktop.png and page-phone.png."""
    path = browser.executable()
    if path is None:
        raise SystemExit(f"none of {', '.join(browser.NAMES)} is on PATH; type: apt-get install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        company.serving(company.build(Path(folder) / "data")) as url,
        browser.launched(path) as chromium,
    ):
        for name, width, height in (("desktop", 1280, 1500), ("phone", 390, 1500)):
            page = chromium.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
            browser.Visit(page, url).open()
            page.screenshot(path=IMAGES / f"page-{name}.png")


if __name__ == "__main__":
    main()
