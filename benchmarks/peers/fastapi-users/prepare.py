"""Create the tables, and print the password hash of all users."""

import asyncio

from app import Base, engine
from fastapi_users.password import PasswordHelper
from sample_users import PASSWORD


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


asyncio.run(main())
print(PasswordHelper().hash(PASSWORD))
