"""The project's files for browsers, served as they are, and a blank page beside them that may import them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from chromium import Page, open_page

from progressive.browser import FOLDERS, files_of


@asynccontextmanager
async def blank_page() -> AsyncIterator[Page]:
    """A page on which `import('/session/..')` works; whoever opens it looks at `page.errors`."""

    async def send(request: web.Request) -> web.Response:
        if request.path == "/":
            return web.Response(text="<!doctype html><link rel=icon href=data:,>", content_type="text/html")
        file = files_of("progressive.browser", request.match_info["folder"])[request.match_info["name"]]
        return web.Response(body=file.content, content_type=file.type)

    app = web.Application()
    app.router.add_get("/", send)
    app.router.add_get(f"/{{folder:{'|'.join(FOLDERS)}}}/{{name}}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with open_page(f"http://127.0.0.1:{runner.addresses[0][1]}/") as page:
            yield page
    finally:
        await runner.cleanup()
