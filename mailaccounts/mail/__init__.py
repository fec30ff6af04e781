"""The mail room: speaks IMAP and SMTP, parses and cleans messages. Knows no Django and no secret."""
