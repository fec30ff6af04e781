"""SealedField: a column that is sealed at rest and bound to its row.

Reading the attribute gives a ``Secret`` (opened at the moment of reading, so a list of rows decrypts nothing);
assigning a ``Secret``, str or bytes seals it when the row is saved. ``bound_to`` names the attributes that make the
row's identity; they must be known before the save, which is why sealed models have UUID keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.db import models

from mailaccounts.conf import settings
from mailaccounts.crypto import VERSION, Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Expression

    _TextField = models.Field[Any, Any]  # a TextField's attribute would be text
else:
    _TextField = models.TextField


class Sealed(str):
    """Ciphertext as it stands in the column."""

    __slots__ = ()


class Dumped(str):
    """Ciphertext out of a dump, on its way back into the column: it is written as it stands and never opened."""

    __slots__ = ()


class SealedDescriptor:
    """Opens on reading, holds plain text as Secret until the save seals it."""

    def __init__(self, field: SealedField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        value = instance.__dict__[self.field.attname]
        return self.field.open(instance, value) if isinstance(value, Sealed) else value

    def __set__(self, instance: models.Model, value: Secret | Sealed | Dumped | str | bytes | None) -> None:
        ready = value is None or isinstance(value, (Secret, Sealed, Dumped))
        instance.__dict__[self.field.attname] = value if ready else Secret(cast("str | bytes", value))


class SealedField(_TextField):
    """A text column that holds only what ``SecretBox.seal`` made."""

    if TYPE_CHECKING:  # what django-stubs' plugin takes an attribute's types from
        _pyi_private_set_type: Secret | Sealed | str | bytes
        _pyi_private_get_type: Secret

    def __init__(self, *args: Any, bound_to: Sequence[str] = ("pk",), **kwargs: Any) -> None:
        self.bound_to = tuple(bound_to)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "bound_to": self.bound_to}

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, SealedDescriptor(self))

    def context(self, instance: models.Model) -> str:
        """Names table, column and row; raises ValueError while the row has no identity."""
        parts = [getattr(instance, name) for name in self.bound_to]
        if None in parts:
            raise ValueError(f"{type(instance).__name__}.{self.name} can't be sealed before {self.bound_to} is known")
        return ":".join([self.model._meta.label_lower, self.attname, *map(str, parts)])

    def open(self, instance: models.Model, sealed: Sealed) -> Secret:
        return Secret(settings.box.open(sealed, context=self.context(instance)))

    def seal(self, instance: models.Model, secret: Secret) -> Sealed:
        """Seals for ``instance``'s row; what a conditional update() writes."""
        return Sealed(settings.box.seal(secret.reveal(), context=self.context(instance)))

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Leaves the value alone: a TextField would make text of it."""
        if value is None and not self.null:
            raise ValidationError(self.error_messages["null"], code="null")
        return value

    def from_db_value(
        self, value: str | None, expression: Expression, connection: BaseDatabaseWrapper
    ) -> Sealed | None:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Secret):
            value = self.seal(model_instance, value)
            model_instance.__dict__[self.attname] = value
        return cast("Sealed | None", value)

    def get_prep_value(self, value: Any) -> Any:
        """Refuses plain text: a queryset's update() or filter() has no row to bind to."""
        if value is None or isinstance(value, (Sealed, Dumped)):
            return value
        raise TypeError(f"{self.name} is sealed by saving a row, not by a query")

    def to_python(self, value: Any) -> Any:
        """Reads what ``value_to_string`` wrote into a dump; ValidationError for anything that isn't sealed."""
        if value is None or isinstance(value, (Secret, Sealed)):
            return value
        if not isinstance(value, str) or not value.startswith(f"{VERSION}."):
            raise ValidationError(f"{self.name} is not sealed", code="not_sealed")
        return Dumped(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.pre_save(obj, False) or "")
