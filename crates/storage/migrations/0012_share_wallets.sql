-- From when until when an account uses the wallet of the account above for what its own does not hold;
-- shared_from empty: it pays from its own. shared_until empty: without an end.
alter table accounts add column shared_from bigint;
alter table accounts add column shared_until bigint;

-- What the wallet above gave for messages: read when an account closes and credit goes back by its origin.
create index transfers_shared_to on transfers (to_id) where code = 34;
create index transfers_shared_from on transfers (from_id) where code = 34;
