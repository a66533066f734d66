"""A small service in Flask."""

from flask import Flask, request
from parts import ended, receiver, verifier

from userapi_client import InvalidWebhook
from userapi_client.flask import Guard, get_claims

app = Flask(__name__)
guard = Guard(verifier)


@app.get("/orders")
@guard.require()
def list_orders():
    return {"user": get_claims().user_id}


@app.get("/customers")
@guard.require(scopes=["users"])
async def list_customers():
    return {"user": get_claims().user_id}


@app.get("/payments")
@guard.require(level="aal2", max_age=300)
def list_payments():
    return {"user": get_claims().user_id}


@app.post("/webhooks")
def receive_webhook():
    try:
        event = receiver.receive(request.headers, request.get_data())
    except InvalidWebhook as error:
        return str(error), 400
    ended.handle(event)
    return "", 204
