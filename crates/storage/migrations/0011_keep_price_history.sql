-- Whoever sells by a price list wants to know what a price was, who changed it and when, and to end the
-- price of a network so that its country's counts again. A list that nobody uses can be put away; its
-- rows stay, because messages were charged by them.
alter table price_lists add column removed_at bigint;
alter table price_rows add column ends bigint not null default 0;

-- before: what the destination itself cost from effective_from on until then; after: what it costs, or
-- nothing where its own price ends. What is older than this table has no actor.
create table price_changes (
  id bigint primary key,
  price_list_id bigint not null references price_lists (id),
  product bigint not null,
  country text not null,
  network text not null,
  effective_from bigint not null,
  before bigint,
  after bigint,
  comment text not null,
  actor_kind bigint,
  actor_name text not null,
  created_at bigint not null
);

create index price_changes_by_list on price_changes (price_list_id, id);

insert into price_changes (id, price_list_id, product, country, network, effective_from, after, comment,
    actor_name, created_at)
  select id, price_list_id, product, country, network, effective_from, price, comment, '', created_at
  from price_rows;
