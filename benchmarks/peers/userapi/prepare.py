"""Create the tables and a signing key, and print the password hash of all users."""

from pathlib import Path

from flask_migrate import upgrade
from sample_users import PASSWORD

from userapi.security.password_hashing import hash_password
from userapi.security.signing_keys import KeyRing
from wsgi import app

with app.app_context():
    upgrade()
    keys = KeyRing(Path(app.config["JWT_KEY_DIR"]))
    if not keys.all():
        keys.add()
    print(hash_password(PASSWORD))
