-- Sums of the statistics, so that a page over a tree of twenty thousand accounts costs about what one
-- over a few costs. They are written with the statistics, in the same transaction, and check proves
-- that they agree.

-- SQLite finds a row by its key in one step when the table lies in the order of the key.
-- {sqlite}
alter table statistics rename to statistics_before;
create table statistics (
  account_id bigint not null,
  day bigint not null,
  product bigint not null,
  country text not null,
  network text not null,
  label text not null,
  sender text not null,
  campaign_id bigint not null,
  outcome bigint not null default 0,
  accepted bigint not null,
  segments bigint not null,
  delivered bigint not null,
  failed bigint not null,
  cost bigint not null,
  refunds bigint not null,
  primary key (account_id, day, product, country, network, label, sender, campaign_id, outcome)
) without rowid;
insert into statistics select * from statistics_before;
drop table statistics_before;
-- {end}

-- What an account has used in all, and what of that lies before since_day: the difference is what it
-- used from that day on. outcome: as in statistics, where two writers write at the same time; 0 for
-- both where there is one. last_day: the latest date counted, last_at: when it sent last.
create table account_usage (
  account_id bigint not null,
  outcome bigint not null,
  root_id bigint not null,
  since_day bigint not null,
  last_day bigint not null,
  last_at bigint not null,
  accepted bigint not null,
  segments bigint not null,
  delivered bigint not null,
  failed bigint not null,
  cost bigint not null,
  refunds bigint not null,
  accepted_before bigint not null,
  segments_before bigint not null,
  delivered_before bigint not null,
  failed_before bigint not null,
  cost_before bigint not null,
  refunds_before bigint not null,
  primary key (account_id, outcome)
)
-- {sqlite}
without rowid
-- {postgres}
with (fillfactor = 50)
-- {end}
;

create index account_usage_by_tree on account_usage (root_id, since_day);
create index account_usage_by_day on account_usage (since_day);

-- What all accounts below one have used together, by one property at a time. kind: 0 all, 1 country,
-- 2 label, 3 sender, 4 account (its number as text). period: a date (20261123), and for labels, senders
-- and accounts also a month (202611).
create table tree_statistics (
  node_id bigint not null,
  kind bigint not null,
  period bigint not null,
  value text not null,
  product bigint not null,
  outcome bigint not null,
  accepted bigint not null,
  segments bigint not null,
  delivered bigint not null,
  failed bigint not null,
  cost bigint not null,
  refunds bigint not null,
  primary key (node_id, kind, period, value, product, outcome)
)
-- {sqlite}
without rowid
-- {postgres}
with (fillfactor = 50)
-- {end}
;

-- The statistics by month, a tree together: for questions about two properties at a time.
create table month_statistics (
  root_id bigint not null,
  month bigint not null,
  account_id bigint not null,
  country text not null,
  label text not null,
  sender text not null,
  product bigint not null,
  outcome bigint not null,
  accepted bigint not null,
  segments bigint not null,
  delivered bigint not null,
  failed bigint not null,
  cost bigint not null,
  refunds bigint not null,
  primary key (root_id, month, account_id, country, label, sender, product, outcome)
)
-- {sqlite}
without rowid
-- {postgres}
with (fillfactor = 50)
-- {end}
;

-- An account is searched by what is in `search`, and sorted by name_folded: both in small letters, which
-- only the program can make of every alphabet; this makes them of what it finds here.
-- {sqlite}
alter table accounts add column name_folded text not null default '';
-- {postgres}
alter table accounts add column name_folded text collate "C" not null default '';
-- {end}
alter table accounts add column search text not null default '';
update accounts set name_folded = lower(coalesce(nullif(company, ''), owner)),
  search = lower(coalesce(company, '') || ' ' || owner || ' ' || email || ' ' || id);

drop index accounts_by_root;
-- {postgres}
alter table accounts alter column path type text collate "C";
-- {end}
create index accounts_by_root on accounts (root_id, path);
drop index accounts_by_parent;
create index accounts_by_parent on accounts (parent_id, name_folded, id, state);

-- The journal lists by time, and what a recipient had is asked of a whole tree.
drop index messages_by_account;
drop index messages_by_root;
drop index messages_by_recipient;
-- {sqlite}
create index messages_by_account on messages (account_id, created_at);
create index messages_by_root on messages (root_id, created_at);
create index messages_by_recipient on messages (root_id, recipient, created_at);
-- {postgres}
create index messages_by_account on messages (account_id, created_at, id);
create index messages_by_root on messages (root_id, created_at, id);
create index messages_by_recipient on messages (root_id, recipient, created_at, id);
-- {end}

-- A statement reads what left and what reached an account, newest first. The installation's own places
-- (below 1000) are left out: every charge reaches one of them.
-- Those that are no charges are few, and are also asked for by themselves: when an account closes, its
-- credit goes back to the accounts that handed it down.
drop index transfers_down_and_up_to;
drop index transfers_down_and_up_from;
-- {sqlite}
create index transfers_from on transfers (from_id, created_at) where from_id >= 1000;
create index transfers_to on transfers (to_id, created_at) where to_id >= 1000;
create index transfers_moves_from on transfers (from_id, created_at) where from_id >= 1000 and code < 40;
create index transfers_moves_to on transfers (to_id, created_at) where to_id >= 1000 and code < 40;
-- {postgres}
create index transfers_from on transfers (from_id, created_at, id) where from_id >= 1000;
create index transfers_to on transfers (to_id, created_at, id) where to_id >= 1000;
create index transfers_moves_from on transfers (from_id, created_at, id) where from_id >= 1000 and code < 40;
create index transfers_moves_to on transfers (to_id, created_at, id) where to_id >= 1000 and code < 40;
-- {end}
