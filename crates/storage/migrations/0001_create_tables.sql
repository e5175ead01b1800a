-- The ground: the account tree, its keys and prices, the books, and messages on their way.
-- Times are microseconds since 1970, money millionths of the currency, yes and no 1 and 0.

create table counters (
  name text primary key,
  value bigint not null
);

-- What running processes agree on: a process whose lease ended is dead, and its work is free.
create table nodes (
  id bigint primary key,
  started_at bigint not null,
  lease_until bigint not null
);

create table price_lists (
  id bigint primary key,
  name text not null unique,
  created_at bigint not null
);

-- A row is a version: it counts from effective_from until the next one of the same destination.
create table price_rows (
  id bigint primary key,
  price_list_id bigint not null references price_lists (id),
  product bigint not null,
  country text not null,
  network text not null,
  price bigint not null check (price >= 0),
  effective_from bigint not null,
  comment text not null,
  created_at bigint not null,
  unique (price_list_id, product, country, network, effective_from)
);

-- path: the ids from the main account down to this one, each followed by a slash.
-- email_folded: empty once the account is closed, so that the address is free again.
create table accounts (
  id bigint primary key,
  parent_id bigint references accounts (id),
  root_id bigint not null,
  path text not null,
  company text,
  owner text not null,
  email text not null,
  email_folded text unique,
  state bigint not null default 0,
  state_reason text,
  state_at bigint not null,
  credit_line bigint not null default 0 check (credit_line >= 0),
  price_list_id bigint references price_lists (id),
  below_cost_allowed bigint not null default 0,
  auto_threshold bigint,
  auto_amount bigint check (auto_amount > 0),
  auto_day_max bigint,
  auto_month_max bigint,
  auto_armed bigint not null default 1,
  auto_day bigint not null default 0,
  auto_day_used bigint not null default 0,
  auto_month_used bigint not null default 0,
  auto_count bigint not null default 0,
  default_sender text,
  default_country text,
  reload_lock bigint not null default 1,
  recipient_day_max bigint not null default 0,
  signing_key text not null,
  signature_required bigint not null default 0,
  created_at bigint not null
);

create index accounts_by_parent on accounts (parent_id);
create index accounts_by_root on accounts (root_id);

create table keys (
  id bigint primary key,
  account_id bigint not null references accounts (id),
  label text not null,
  prefix text not null,
  hash text not null unique,
  sandbox bigint not null,
  scopes bigint not null,
  subaccount_access bigint not null,
  expires_at bigint,
  revoked_at bigint,
  created_at bigint not null,
  last_used_at bigint
);

create index keys_by_account on keys (account_id);

-- The balance is kept beside the transfers that make it up; check proves that they agree.
-- floor: what it may not fall below; the installation's own, which are there from the first day, have
-- none.
create table ledger_accounts (
  id bigint primary key,
  account_id bigint,
  balance bigint not null,
  floor bigint,
  check (floor is null or balance >= floor)
) with (fillfactor = 50);

insert into ledger_accounts (id, balance) values
  (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0);

-- Only ever inserted. The cause is what a group is booked for, and keeps it from being booked twice.
create table transfers (
  id bigint primary key,
  cause_kind bigint not null,
  cause_id bigint not null,
  place bigint not null,
  from_id bigint not null,
  to_id bigint not null,
  amount bigint not null check (amount > 0),
  code bigint not null,
  actor text not null,
  reference text not null,
  created_at bigint not null,
  check (from_id <> to_id)
);

create unique index transfers_by_cause on transfers (cause_kind, cause_id, place);

-- What was asked for with a key of the caller's: asked again, it is not done again.
create table requests (
  id bigint primary key,
  account_id bigint not null,
  request_key text not null,
  content text not null,
  created_at bigint not null,
  unique (account_id, request_key)
);

-- Free credit with an end; the soonest to end is used first.
create table promo_lots (
  id bigint primary key,
  account_id bigint not null,
  granted bigint not null check (granted > 0),
  remaining bigint not null check (remaining >= 0),
  expires_at bigint not null,
  created_at bigint not null
);

create index promo_lots_by_account on promo_lots (account_id);

-- levels: what each account of the path pays, as id:amount pairs, where it differs from the price.
create table messages (
  id bigint primary key,
  account_id bigint not null,
  root_id bigint not null,
  batch_id bigint not null,
  sender text not null,
  recipient bigint not null,
  text text not null,
  alphabet bigint not null,
  udh text,
  flash bigint not null,
  segments bigint not null,
  price bigint not null,
  promo bigint not null,
  price_row_id bigint not null,
  levels text,
  class bigint not null,
  label text,
  foreign_id text,
  connection text not null,
  country text not null,
  network text not null,
  validity_minutes bigint not null,
  created_at bigint not null,
  send_at bigint not null,
  status bigint not null,
  carrier text,
  submitted_at bigint,
  report bigint,
  report_at bigint,
  error text,
  done_at bigint,
  possible_duplicate bigint not null default 0
) with (fillfactor = 70);

create index messages_by_account on messages (account_id, id);
create index messages_by_recipient on messages (account_id, recipient, created_at);

-- Messages that are still to be handed to a carrier, each one row until its answer is stored.
-- node_id: who has it in hand; 0 nobody, -1 its time has not come.
-- attempts: how often it was handed over; written before the first byte leaves.
create table outbox (
  message_id bigint primary key,
  root_id bigint not null,
  class bigint not null,
  due_at bigint not null,
  node_id bigint not null,
  attempts bigint not null
);

-- Only what is in nobody's hand has to be found by its tree; the rest is in the memory of its node.
create index outbox_by_tree on outbox (class, root_id, message_id) where node_id = 0;
create index outbox_by_time on outbox (due_at) where node_id = -1;

-- What a carrier has taken: the id is the message's times 256 plus the part.
create table segments (
  id bigint primary key,
  carrier text not null,
  remote_id text not null,
  report bigint,
  reported_at bigint,
  created_at bigint not null
) with (fillfactor = 70);

create index segments_by_remote_id on segments (remote_id);

-- Reports that came before the answer they belong to.
create table early_reports (
  id bigint primary key,
  carrier text not null,
  remote_id text not null,
  recipient bigint,
  report bigint not null,
  done_at bigint not null,
  error text,
  received_at bigint not null
);

create index early_reports_by_remote_id on early_reports (remote_id);

-- Counts by day, written with the event they count. The day is a date of the installation: 20261123.
-- outcome: 0 what was accepted, 1 what became of it. They are apart because they are written by
-- different transactions at the same time, which would wait for each other. What is told is their sum.
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
) with (fillfactor = 50);

-- Work for later. A job may run twice without harm.
create table jobs (
  id bigint primary key,
  kind text not null,
  reference_id bigint not null,
  due_at bigint not null,
  attempts bigint not null,
  unique (kind, reference_id)
);

create index jobs_by_time on jobs (due_at);

-- What an account is to be told, such as an automatic transfer that failed.
create table notices (
  id bigint primary key,
  account_id bigint not null,
  kind text not null,
  text text not null,
  created_at bigint not null
);

create index notices_by_account on notices (account_id, id);

insert into counters (name, value) values
  ('account', 1900000), ('message', 77000000000), ('transfer', 0), ('id', 0), ('node', 0), ('version', 0);
