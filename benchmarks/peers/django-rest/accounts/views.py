"""The user API."""

from rest_framework import pagination, viewsets
from rest_framework.permissions import AllowAny

from accounts.models import User
from accounts.permissions import IsAdminUser, IsLoggedInUserOrAdmin
from accounts.serializers import UserSerializer


class KeysetPagination(pagination.CursorPagination):
    """The framework's own pages without a count."""

    ordering = "id"


class UserViewSet(viewsets.ModelViewSet):
    queryset = User.objects.order_by("id").select_related("profile")
    serializer_class = UserSerializer
    pagination_class = KeysetPagination

    def get_permissions(self):
        permission_classes = []
        if self.action == "create":
            permission_classes = [AllowAny]
        elif self.action in ("retrieve", "update", "partial_update"):
            permission_classes = [IsLoggedInUserOrAdmin]
        elif self.action in ("list", "destroy"):
            permission_classes = [IsAdminUser]
        return [permission() for permission in permission_classes]
