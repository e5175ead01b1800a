-- Long work that people begin in an account and may leave while it goes on: accounts from a file, the same for
-- many accounts. Whoever comes back, to whichever process, sees how far it is and what became of each part.

-- kind: 0 accounts from a file, 1 credits for many, 2 many suspended. name: what whoever began it calls it; begun
-- under the same name, it is the same work once more. content: all that is asked for, in one text. seen_at: the
-- last sign of life of who does it. done, total: parts. error: why it broke off.
create table works (
  id bigint primary key,
  account_id bigint not null,
  kind bigint not null,
  name text not null,
  content text not null,
  begun_by text not null,
  begun_at bigint not null,
  seen_at bigint not null,
  done bigint not null,
  total bigint not null,
  ended_at bigint,
  error text,
  unique (account_id, kind, name)
);

create index works_by_time on works (begun_at);

-- What became of a part: place is the line of a file, or which of many. state: 0 done, 1 done before, 2 refused.
create table work_parts (
  work_id bigint not null references works (id),
  place bigint not null,
  account_id bigint,
  state bigint not null,
  words text not null,
  primary key (work_id, place)
);
