"""The web pages: one server for annotating, reviewing and managing.

    app = create_app(store, Options())        # app.py
    serve(app, host, port)                    # serve.py

A page is a route in `routes/`, a template in `pages/`, its words in `words/` and,
where it moves, a script in `static/`. Who may use a route stands where the route
is made (`guard.py`).
"""

from instructglm.studio.app import Options, create_app

__all__ = ["Options", "create_app"]
