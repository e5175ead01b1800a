-- What the operator has suspended, nobody in its tree lifts. That was read out of the audit log, of which
-- only the last entries were looked at; now it stands with the account, until the operator lifts it.
alter table accounts add column operator_lock bigint not null default 0;

-- Who was suspended at the command line (actor_kind 2) since it was activated last. state: 1 suspended,
-- 2 about to be closed.
update accounts set operator_lock = 1 where state in (1, 2) and exists (
  select 1 from audit s
  where s.account_id = accounts.id and s.action = 'account.suspend' and s.actor_kind = 2
    and not exists (
      select 1 from audit a
      where a.account_id = s.account_id and a.action = 'account.activate' and a.id > s.id));
