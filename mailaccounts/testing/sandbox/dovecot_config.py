"""Dovecot's configuration for running unprivileged with everything below one directory (``home``)."""

CONFIG = """\
base_dir = {home}/run
state_dir = {home}/state
log_path = /dev/stderr
log_timestamp = "%Y-%m-%d %H:%M:%S "
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
protocols = imap{lmtp}
default_process_limit = {processes}
default_client_limit = {clients}
listen = {addresses}
ssl = yes
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.key
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{home}/mail/%Lu
mail_max_userip_connections = 50
mailbox_list_index = yes
maildir_very_dirty_syncs = yes
mail_fsync = never
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
}}
auth_mechanisms = plain login {token_mechanisms}
auth_failure_delay = 0
auth_verbose = yes
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2.conf.ext
  result_success = continue
  result_failure = return-fail
  result_internalfail = return
}}
passdb {{
  driver = dict
  mechanisms = xoauth2 oauthbearer
  args = {home}/access.conf.ext
}}
passdb {{
  driver = dict
  mechanisms = plain login
  args = {home}/passwords.conf.ext
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}/home/%Lu allow_all_users=yes
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_limit = 2
  process_min_avail = 1
  inet_listener imap {{
    port = {starttls_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service stats {{
  chroot =
}}
protocol imap {{
  rawlog_dir = {home}/rawlog/%Lu
  {capability}
}}
"""

# Dovecot asks the identity provider about every token. Whose it is (the answer's "email") isn't compared with the user
# who logs in, hence the constant, but handed on to the next passdb: some tokens open other mailboxes.
OAUTH2_CONFIG = """\
introspection_mode = post
introspection_url = {introspection_url}
username_attribute = email
username_format = anybody
pass_attrs = whose=%{{oauth2:email}}
active_attribute = active
active_value = true
tls_ca_cert_file = {home}/ca.pem
timeout_msecs = 5000
openid_configuration_url = {discovery_url}
"""

# A file for each mailbox that somebody's tokens open. By now the token is known to be good: being there is enough.
ACCESS_CONFIG = """\
uri = fs:posix:prefix={home}/
iterate_disable = yes
key access {{
  key = access/%L{{passdb:whose}}/%Lu
  format = json
}}
passdb_objects = access
"""
OPENS = '{"nopassword": "y"}'

# A file per user, read at each login; passwd-file would look for changes only once a second.
PASSWORDS_CONFIG = """\
uri = fs:posix:prefix={home}/
iterate_disable = yes
key password {{
  key = passwords/%Lu
  format = json
}}
passdb_objects = password
"""
