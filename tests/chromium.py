"""The browser for tests of pages."""

import pytest

from benchmarks._chromium import BROWSER, Page, open_page

__all__ = ["Page", "needs_chromium", "open_page"]

needs_chromium = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here: apt-get install chromium")
