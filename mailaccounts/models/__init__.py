"""The models remember. Writes go through services, reads through selectors."""

from mailaccounts import lookups as _lookups  # noqa: F401 - registers them
from mailaccounts.models.account import ERASING, HANDING_OVER, NEEDS_SOMEBODY, AccountStatus, MailAccount, Visibility
from mailaccounts.models.action import UNFINISHED, Act, ActionState, MailAction
from mailaccounts.models.alarm import Alarm, AlarmKind
from mailaccounts.models.alias import Alias
from mailaccounts.models.audit import AuditAction, AuditEntry
from mailaccounts.models.beat import Beat
from mailaccounts.models.blocked import Blocked
from mailaccounts.models.break_glass import BreakGlass
from mailaccounts.models.client import ClientProof, OAuthClient
from mailaccounts.models.credential import Credential, CredentialState
from mailaccounts.models.directory import DirectoryChange
from mailaccounts.models.erasing import Erasing, Why
from mailaccounts.models.figures import DailyFigures, HourlyFigures
from mailaccounts.models.folder import Folder, FolderRole
from mailaccounts.models.forgotten import Forgotten
from mailaccounts.models.grant import ConsentAttempt, Grant, GrantStatus
from mailaccounts.models.look import LISTED, Look
from mailaccounts.models.lookout import Lookout
from mailaccounts.models.message import (
    Attachment,
    Message,
    MessageUid,
    Participant,
    Role,
    Shown,
    Thread,
    ThreadFolder,
    ThreadKey,
)
from mailaccounts.models.migration import MigrationRun, MigrationStep
from mailaccounts.models.outgoing import (
    EDITABLE,
    IN_THE_POST,
    RECIPIENTS_REFUSED,
    UNDECIDED,
    Enclosed,
    Filing,
    Outgoing,
    OutgoingState,
    Recipient,
)
from mailaccounts.models.preview import Ending, Preview
from mailaccounts.models.quarantine import Fault, Quarantined
from mailaccounts.models.sealed import SealedText
from mailaccounts.models.server_certificate import ServerCertificate
from mailaccounts.models.tally import Tally
from mailaccounts.models.tenant import TenantAccess
from mailaccounts.models.webhook import WebhookDelivery

__all__ = [
    "EDITABLE",
    "ERASING",
    "HANDING_OVER",
    "IN_THE_POST",
    "LISTED",
    "NEEDS_SOMEBODY",
    "RECIPIENTS_REFUSED",
    "UNDECIDED",
    "UNFINISHED",
    "AccountStatus",
    "Act",
    "ActionState",
    "Alarm",
    "AlarmKind",
    "Alias",
    "Attachment",
    "AuditAction",
    "AuditEntry",
    "Beat",
    "Blocked",
    "BreakGlass",
    "ClientProof",
    "ConsentAttempt",
    "Credential",
    "CredentialState",
    "DailyFigures",
    "DirectoryChange",
    "Enclosed",
    "Ending",
    "Erasing",
    "Fault",
    "Filing",
    "Folder",
    "FolderRole",
    "Forgotten",
    "Grant",
    "GrantStatus",
    "HourlyFigures",
    "Look",
    "Lookout",
    "MailAccount",
    "MailAction",
    "Message",
    "MessageUid",
    "MigrationRun",
    "MigrationStep",
    "OAuthClient",
    "Outgoing",
    "OutgoingState",
    "Participant",
    "Preview",
    "Quarantined",
    "Recipient",
    "Role",
    "SealedText",
    "ServerCertificate",
    "Shown",
    "Tally",
    "TenantAccess",
    "Thread",
    "ThreadFolder",
    "ThreadKey",
    "Visibility",
    "WebhookDelivery",
    "Why",
]
