-- When an account closes, its credit goes back to the accounts that handed it down: who handed how
-- much is summed up from the few transfers between accounts, not from the many charges.

create index transfers_down_and_up_to on transfers (to_id) where code in (30, 32, 33);
create index transfers_down_and_up_from on transfers (from_id) where code in (30, 32, 33);
