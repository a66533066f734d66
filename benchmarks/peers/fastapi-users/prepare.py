"""Make the tables, and print the hash that every password has."""

import asyncio

from app import Base, engine
from fastapi_users.password import PasswordHelper
from people import PASSWORD


async def main() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


asyncio.run(main())
print(PasswordHelper().hash(PASSWORD))
