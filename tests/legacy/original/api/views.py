"""Users as the tutorial's serializers and view set have them."""

from rest_framework import permissions, serializers, viewsets

from .models import User, UserProfile


class IsLoggedInUserOrAdmin(permissions.BasePermission):
    def has_object_permission(self, request, view, obj):
        return obj == request.user or request.user.is_staff


class IsAdminUser(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.user and request.user.is_staff

    def has_object_permission(self, request, view, obj):
        return request.user and request.user.is_staff


class UserProfileSerializer(serializers.ModelSerializer):
    class Meta:
        model = UserProfile
        fields = ("title", "dob", "address", "country", "city", "zip")


class UserSerializer(serializers.HyperlinkedModelSerializer):
    profile = UserProfileSerializer(required=True)

    class Meta:
        model = User
        fields = ("url", "email", "first_name", "last_name", "password", "profile")
        extra_kwargs = {"password": {"write_only": True}}

    def create(self, validated_data):
        profile_data = validated_data.pop("profile")
        password = validated_data.pop("password")
        user = User(**validated_data)
        user.set_password(password)
        user.save()
        UserProfile.objects.create(user=user, **profile_data)
        return user

    def update(self, instance, validated_data):
        profile_data = validated_data.pop("profile")
        profile = instance.profile
        instance.email = validated_data.get("email", instance.email)
        instance.save()
        for name in UserProfileSerializer.Meta.fields:
            setattr(profile, name, profile_data.get(name, getattr(profile, name)))
        profile.save()
        return instance


class UserViewSet(viewsets.ModelViewSet):
    queryset = User.objects.all()
    serializer_class = UserSerializer

    def get_permissions(self):
        permission_classes = []
        if self.action == "create":
            permission_classes = [permissions.AllowAny]
        elif self.action in ("retrieve", "update", "partial_update"):
            permission_classes = [IsLoggedInUserOrAdmin]
        elif self.action in ("list", "destroy"):
            permission_classes = [IsAdminUser]
        return [permission() for permission in permission_classes]
