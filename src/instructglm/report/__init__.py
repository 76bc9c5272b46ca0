"""Numbers to pages: what a report holds (`contents`), and its forms for a browser, a terminal and a dataset card.

`contents` comes first; `results`, `matrices`, `items` and `account` arrange it;
`figures`, `curves` and `ratings` draw; `html`, `console` and `card` put it together.
"""
