"""The WSGI entry for people who bring their own server: the callback and the admin pages in one application."""

from receiver import create_app

app = create_app()
