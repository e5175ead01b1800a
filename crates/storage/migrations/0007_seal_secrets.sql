-- Secrets that must be read again are kept sealed, by a key that lies beside the books: what codes of
-- apps are made of (logins.totp_secret, tokens of the kind totp) and what links in mails open doors with
-- (mails.secret). proof: something known, sealed by the same key, so that a process with another one is
-- told so at its start. One row.
create table seals (
  id bigint primary key check (id = 1),
  proof text not null
);
