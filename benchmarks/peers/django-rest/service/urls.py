"""The URLs."""

from accounts.views import UserViewSet
from django.urls import include, path
from rest_framework import routers
from rest_framework_simplejwt import views as jwt

router = routers.DefaultRouter()
router.register("users", UserViewSet)

urlpatterns = [
    path("api-token-auth/", jwt.TokenObtainPairView.as_view()),
    path("api-token-refresh/", jwt.TokenRefreshView.as_view()),
    path("api-token-verify/", jwt.TokenVerifyView.as_view()),
    path("", include(router.urls)),
]
