-- An account that resells has price lists of its own, for the accounts below it. A list without an
-- owner is the operator's. The name of an owned list begins with the number of its owner and a slash,
-- so that each account has its own names.
alter table price_lists add column owner_id bigint references accounts (id);
create index price_lists_by_owner on price_lists (owner_id, name) where owner_id is not null;
create index accounts_by_price_list on accounts (price_list_id, state) where price_list_id is not null;

-- Accounts whose messages are not simply read from above are few, and looked for among all of a tree.
create index accounts_by_access on accounts (root_id, path) where access <> 0;
