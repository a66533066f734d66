"""The paths of the Django service."""

from api.views import UserViewSet
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from rest_framework_jwt.views import obtain_jwt_token, refresh_jwt_token, verify_jwt_token

router = DefaultRouter()
router.register("users", UserViewSet)

urlpatterns = [
    path("", include("django.contrib.auth.urls")),
    path("api-token-auth/", obtain_jwt_token),
    path("api-token-refresh/", refresh_jwt_token),
    path("api-token-verify/", verify_jwt_token),
    path("userapi/", include(router.urls)),
    path("userapi/auth/", include("rest_auth.urls")),
]
