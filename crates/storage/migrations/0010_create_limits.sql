-- What accounts may send at the most, where to and under which names. account_id: the account it lies
-- on; by_id: the account whose people set it; reach: 0 the account and all below together, 1 each below
-- by default, 2 each below enforced; kind: 0 spend a day, 1 spend a month, 2 messages an hour, 3 messages
-- a day, 10 only these countries, 11 only these senders; country and label: only messages with them, and
-- empty for all; most: for kinds below 10; list: for the others, one to a line.
create table limits (
  id bigint not null primary key,
  account_id bigint not null references accounts (id),
  by_id bigint not null references accounts (id),
  reach bigint not null,
  kind bigint not null,
  country text not null,
  label text not null,
  most bigint not null,
  list text not null,
  created_at bigint not null
);

create unique index limits_by_account on limits (account_id, by_id, reach, kind, country, label);

-- What has been used of a limit by an account in the period it was last used in. warned: the share in
-- percent that was told of.
create table limit_usage (
  limit_id bigint not null,
  account_id bigint not null,
  period bigint not null,
  used bigint not null,
  warned bigint not null,
  primary key (limit_id, account_id)
)
-- {sqlite}
without rowid
-- {postgres}
with (fillfactor = 50)
-- {end}
;
