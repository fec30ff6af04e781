from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class CustomerEmail(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="emails")
    address = models.EmailField(unique=True)

    def __str__(self) -> str:
        return self.address


class Note(models.Model):
    """What happened with a customer: here, that there was mail."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    mail = models.ForeignKey("mailaccounts.Message", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint("customer", "mail", name="one_note_for_a_mail")]

    def __str__(self) -> str:
        return f"{self.customer}: {self.mail}"
