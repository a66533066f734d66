"""A small service in Django, whose customers are in Django REST framework."""

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["userapi_client.django.TokenMiddleware"],
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["userapi_client.django_rest.TokenAuthentication"],
        "EXCEPTION_HANDLER": "userapi_client.django_rest.exception_handler",
        "UNAUTHENTICATED_USER": None,
    },
    USERAPI_VERIFIER="parts.verifier",
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from parts import ended, receiver  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from userapi_client import InvalidWebhook, django_rest  # noqa: E402
from userapi_client.django import require  # noqa: E402


@require()
def list_orders(request):
    return JsonResponse({"user": request.userapi_claims.user_id})


class Customers(APIView):
    permission_classes = (django_rest.require(scopes=["users"]),)

    def get(self, request):
        return Response({"user": request.user.id})


@require(level="aal2", max_age=300)
async def list_payments(request):
    return JsonResponse({"user": request.userapi_claims.user_id})


@csrf_exempt
def receive_webhook(request):
    try:
        event = receiver.receive(request.headers, request.body)
    except InvalidWebhook as error:
        return HttpResponse(str(error), status=400)
    ended.handle(event)
    return HttpResponse(status=204)


urlpatterns = [
    path("orders", list_orders),
    path("customers", Customers.as_view()),
    path("payments", list_payments),
    path("webhooks", receive_webhook),
]

app = get_wsgi_application()
