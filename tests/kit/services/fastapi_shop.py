"""A small service in FastAPI."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from parts import ended, receiver, verifier

from userapi_client import Claims, InvalidWebhook
from userapi_client.fastapi import Guard

app = FastAPI()
guard = Guard(verifier)
guard.handle_errors(app)


@app.get("/orders")
def list_orders(claims: Annotated[Claims, Depends(guard.require())]):
    return {"user": claims.user_id}


@app.get("/customers")
async def list_customers(claims: Annotated[Claims, Depends(guard.require(scopes=["users"]))]):
    return {"user": claims.user_id}


@app.get("/payments")
def list_payments(claims: Annotated[Claims, Depends(guard.require(level="aal2", max_age=300))]):
    return {"user": claims.user_id}


@app.post("/webhooks")
async def receive_webhook(request: Request):
    try:
        event = receiver.receive(request.headers, await request.body())
    except InvalidWebhook as error:
        return Response(str(error), 400)
    ended.handle(event)
    return Response(status_code=204)
