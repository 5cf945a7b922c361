"""The page in the browser: train, separate, and tune by ear. ``sklearn-gass serve`` shows it.

Only `sklearn_gass.web._page` needs gradio. What happens behind the page is in modules of its own, which need none.
"""
