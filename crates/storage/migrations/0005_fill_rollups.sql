-- What has been counted so far is summed up. The same statements sum up anew what was found wrong.

insert into account_usage (account_id, outcome, root_id, since_day, last_day, last_at, accepted, segments, delivered,
  failed, cost, refunds, accepted_before, segments_before, delivered_before, failed_before, cost_before,
  refunds_before)
select s.account_id,
-- {sqlite}
  0,
-- {postgres}
  s.outcome,
-- {end}
  a.root_id, min(s.day), max(s.day),
  coalesce((select m.created_at from messages m where m.account_id = s.account_id and
-- {sqlite}
    1 = 1
-- {postgres}
    s.outcome = 0
-- {end}
    order by m.created_at desc limit 1), 0),
  sum(s.accepted), sum(s.segments), sum(s.delivered), sum(s.failed), sum(s.cost), sum(s.refunds), 0, 0, 0, 0, 0, 0
from statistics s join accounts a on a.id = s.account_id
group by 1, 2, 3;

insert into tree_statistics (node_id, kind, period, value, product, outcome, accepted, segments, delivered, failed, cost,
  refunds)
with recursive above (account_id, node_id) as (
  select id, parent_id from accounts where parent_id is not null
  union all
  select above.account_id, a.parent_id from above join accounts a on a.id = above.node_id
  where a.parent_id is not null
)
select n.node_id, k.kind, case when k.month = 1 then s.day / 100 else s.day end,
  case k.kind when 1 then s.country when 2 then s.label when 3 then s.sender
    when 4 then cast(s.account_id as text) else '' end,
  s.product,
-- {sqlite}
  0,
-- {postgres}
  s.outcome,
-- {end}
  sum(s.accepted), sum(s.segments), sum(s.delivered), sum(s.failed), sum(s.cost), sum(s.refunds)
from statistics s
join above n on n.account_id = s.account_id
cross join (select 0 as kind, 0 as month union all select 1, 0 union all select 2, 0 union all select 2, 1
  union all select 3, 0 union all select 3, 1 union all select 4, 0 union all select 4, 1) k
group by 1, 2, 3, 4, 5, 6;

insert into month_statistics (root_id, month, account_id, country, label, sender, product, outcome, accepted, segments,
  delivered, failed, cost, refunds)
select a.root_id, s.day / 100, s.account_id, s.country, s.label, s.sender, s.product,
-- {sqlite}
  0,
-- {postgres}
  s.outcome,
-- {end}
  sum(s.accepted), sum(s.segments), sum(s.delivered), sum(s.failed), sum(s.cost), sum(s.refunds)
from statistics s join accounts a on a.id = s.account_id
group by 1, 2, 3, 4, 5, 6, 7, 8;
