"""The libraries' objects that more than one room needs; the factory calls what each needs to start."""

from flask_jwt_extended import JWTManager
from flask_migrate import Migrate

jwt = JWTManager()
migrate = Migrate()
