"""One sender, many receivers, each behind a link of its own, all of them on one page.

photo ─> SenderSession, then CarouselSession ─┬─> link ─> receiver 1, a process  ─┬─> page with the wall
                                              ├─> link ─> receiver 2, a process  ─┤
                                              ╰─> ..                             ─╯
"""
