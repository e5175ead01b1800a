-- People: who they are, where they belong, what they did, and what they are mailed.
-- Secrets that are shown once (sessions, links, browsers, recovery codes) are stored as SHA-256 of at
-- least 125 random bits, so that a copy of the books opens no door. Times are microseconds, yes and no
-- 1 and 0.

-- A person. email_folded: what the address is compared by. password: an Argon2id PHC string; absent
-- until one is chosen. totp_secret: base32; it counts once totp_at is there. totp_step: the last time
-- step a code was taken of, so that no code works twice. webauthn_id: the UUID authenticators know the
-- person by.
create table logins (
  id bigint primary key,
  email text not null,
  email_folded text not null unique,
  name text not null,
  language text,
  operator bigint not null default 0,
  password text,
  password_at bigint,
  totp_secret text,
  totp_at bigint,
  totp_step bigint not null default 0,
  webauthn_id text not null unique,
  disabled_at bigint,
  created_at bigint not null,
  last_at bigint
);

create table recovery_codes (
  hash text primary key,
  login_id bigint not null references logins (id),
  used_at bigint
);

create index recovery_codes_by_login on recovery_codes (login_id);

create table passkeys (
  id bigint primary key,
  login_id bigint not null references logins (id),
  credential_id text not null unique,
  passkey text not null,
  label text not null,
  created_at bigint not null,
  last_used_at bigint
);

create index passkeys_by_login on passkeys (login_id);

-- Who a login is at a provider of sign-ins (OpenID Connect).
create table identities (
  issuer text not null,
  subject text not null,
  login_id bigint not null references logins (id),
  created_at bigint not null,
  primary key (issuer, subject)
);

create index identities_by_login on identities (login_id);

-- A browser that is signed in. step: 0 the password was right and the second factor is still owed,
-- 1 signed in. strong_at: when a second factor was shown last.
create table sessions (
  id bigint primary key,
  hash text not null unique,
  login_id bigint not null references logins (id),
  step bigint not null,
  strong_at bigint,
  address text not null,
  agent text not null,
  created_at bigint not null,
  seen_at bigint not null,
  revoked_at bigint
);

create index sessions_by_login on sessions (login_id);

-- What is held between two steps of a ceremony, and links that were mailed: set-up, password reset,
-- change of address, sign-in by a provider, passkey challenges.
create table tokens (
  hash text primary key,
  kind text not null,
  login_id bigint,
  content text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);

create index tokens_by_time on tokens (expires_at);

-- A browser somebody has been signed in with. Its guesses count by themselves, so that those of
-- strangers do not keep it out.
create table devices (
  hash text primary key,
  login_id bigint not null references logins (id),
  created_at bigint not null,
  last_at bigint not null
);

create index devices_by_login on devices (login_id);

-- Tries that have not been right, by whose door was tried and from where. level: how many, in
-- millionths; it sinks with the time since level_at.
create table guesses (
  what text primary key,
  level bigint not null,
  level_at bigint not null
);

create index guesses_by_time on guesses (level_at);

create table members (
  id bigint primary key,
  account_id bigint not null references accounts (id),
  login_id bigint not null references logins (id),
  role bigint not null,
  includes_subaccounts bigint not null,
  created_at bigint not null,
  unique (account_id, login_id)
);

create index members_by_login on members (login_id);
create unique index members_one_owner on members (account_id) where role = 0;

-- What was mailed to somebody who shall become a member. One that waits an address and account; hash:
-- of the secret in the link, which a new mail replaces. email_folded: what the address is compared by.
create table invitations (
  id bigint primary key,
  account_id bigint not null references accounts (id),
  email text not null,
  email_folded text not null,
  role bigint not null,
  includes_subaccounts bigint not null,
  hash text not null unique,
  invited_by text not null,
  created_at bigint not null,
  sent_at bigint not null,
  expires_at bigint not null,
  accepted_at bigint,
  revoked_at bigint
);

create index invitations_by_account on invitations (account_id, id);
create index invitations_by_email on invitations (email_folded);
create unique index invitations_that_wait on invitations (account_id, email_folded)
  where accepted_at is null and revoked_at is null;

-- The owner's word that another member shall be the owner; done when they accept.
create table ownership_offers (
  account_id bigint primary key references accounts (id),
  member_id bigint not null references members (id) on delete cascade,
  offered_by bigint not null references logins (id),
  created_at bigint not null,
  expires_at bigint not null
);

-- Time-boxed yeses of an account whose access is 'ask'. state: 0 asked, 1 granted, 2 refused,
-- 3 withdrawn, 4 the glass was broken. expires_at: of what was asked, when the question lapses; of what
-- was granted, when the yes does.
create table access_grants (
  id bigint primary key,
  account_id bigint not null references accounts (id),
  above_id bigint not null references accounts (id),
  login_id bigint not null references logins (id),
  reason text not null,
  state bigint not null,
  asked_at bigint not null,
  answered_by bigint,
  answered_at bigint,
  expires_at bigint
);

create index access_grants_by_account on access_grants (account_id, id);

-- A person from above in an account: from stepping in until stepping out or the end of the time.
create table visits (
  id bigint primary key,
  account_id bigint not null references accounts (id),
  above_id bigint not null references accounts (id),
  login_id bigint not null references logins (id),
  session_id bigint not null references sessions (id),
  grant_id bigint references access_grants (id),
  reason text not null,
  began_at bigint not null,
  ends_at bigint not null,
  ended_at bigint
);

create index visits_by_account on visits (account_id, id);
create index visits_by_session on visits (session_id);
create index visits_by_login on visits (login_id, above_id);

-- Who did what to an account. Only ever added to, which the triggers below see to.
-- actor_kind: 0 a person, 1 a key, 2 the operator's command line, 3 a rule of the platform.
-- above_id: the account the actor came from, when it was not this one.
-- before, after: what was changed, as JSON objects of the fields that differ.
create table audit (
  id bigint primary key,
  account_id bigint not null,
  root_id bigint not null,
  actor_kind bigint not null,
  actor_id bigint,
  actor_name text not null,
  above_id bigint,
  visit_id bigint,
  action text not null,
  subject text not null,
  before text,
  after text,
  address text not null,
  agent text not null,
  created_at bigint not null
);

create index audit_by_account on audit (account_id, id);

-- {sqlite}
create trigger audit_is_not_changed before update on audit
begin select raise(abort, 'the audit log is only ever added to'); end;
create trigger audit_is_not_replaced before insert on audit
when exists (select 1 from audit where id = new.id)
begin select raise(abort, 'the audit log is only ever added to'); end;
create trigger audit_is_not_deleted before delete on audit
begin select raise(abort, 'the audit log is only ever added to'); end;
-- {postgres}
create function audit_stays() returns trigger language plpgsql as
  'begin raise exception ''the audit log is only ever added to''; end';
create trigger audit_stays before update or delete or truncate on audit
  for each statement execute function audit_stays();
-- {end}

-- What is to be mailed or was: kept so that an operator without a mail server can read it, and one
-- with a broken one can try again. state: 0 waiting, 1 sent, 2 kept (no server), 3 given up.
-- secret: what its link opens doors with; the texts hold a mark in its place, and it is forgotten as
-- soon as the mail is sent. trying_since: from when the time to give up is counted.
create table mails (
  id bigint primary key,
  account_id bigint,
  kind text not null,
  recipient text not null,
  language text not null,
  subject text not null,
  plain text not null,
  html text not null,
  secret text,
  state bigint not null,
  attempts bigint not null,
  trying_since bigint not null,
  due_at bigint not null,
  error text,
  created_at bigint not null,
  sent_at bigint
);

create index mails_by_time on mails (due_at) where state = 0;
create index mails_by_state on mails (state, id);
create index mails_by_account on mails (account_id, kind, created_at);

-- Checks of the books that the operator began while the platform serves. seen_at: the last sign of life of
-- who checks. done, total: rows read and how many there are, about. broken: what was found, a line each.
create table checks (
  id bigint primary key,
  begun_by text not null,
  begun_at bigint not null,
  seen_at bigint not null,
  done bigint not null,
  total bigint not null,
  ended_at bigint,
  ok bigint,
  broken_count bigint,
  broken text,
  accounts bigint,
  transfers bigint,
  messages bigint,
  error text
);

-- The calls of an account's programs, for its developers. Kept for some days, and not every one of
-- many a second.
create table calls (
  id bigint primary key,
  account_id bigint not null,
  key_id bigint,
  method text not null,
  path text not null,
  status bigint not null,
  code text not null,
  milliseconds bigint not null,
  request text not null,
  answer text not null,
  error text not null,
  address text not null,
  created_at bigint not null
);

create index calls_by_account on calls (account_id, id);
create index calls_by_time on calls (created_at);

-- What was asked for through /v1 with an Idempotency-Key, and the answer, sealed by the secret of the
-- API key that asked. Kept for two days.
create table answers (
  key_id bigint not null,
  name text not null,
  content text not null,
  answer text,
  begun_at bigint not null,
  primary key (key_id, name)
);

create index answers_by_time on answers (begun_at);

-- What an account chose besides its messages. access: 0 open, 1 notify, 2 ask. time_zone, language:
-- absent is the installation's. text_days, number_days: how long texts and full numbers of messages
-- are kept; absent is for ever. preset: what it was created as.
alter table accounts add column access bigint not null default 0;
alter table accounts add column time_zone text;
alter table accounts add column language text;
alter table accounts add column second_factor_required bigint not null default 0;
alter table accounts add column text_days bigint;
alter table accounts add column number_days bigint;
alter table accounts add column preset text not null default '';

create index accounts_by_retention on accounts (id) where text_days is not null or number_days is not null;

-- How far the messages of an account are gone through by whoever takes texts and numbers out.
create table retention (
  account_id bigint primary key,
  text_to bigint not null,
  number_to bigint not null
);

-- Jobs that failed, for the operator: the last error.
alter table jobs add column error text;

-- A journal over a whole tree.
create index messages_by_root on messages (root_id, id);
