-- What Cashtrail itself said about the flow, and to whom. Whether a promise is broken is asked at read, never stored; that an
-- alert was raised, left, sent or escalated is a fact about us, and kept. Rows are only added, but for the columns of
-- alert_deliveries from `state` on. No keys: every write runs under the recording lock and looks before it inserts.

-- alerts: one row per alert: one cause (promise and owner, exception group, system, queue), one episode. alert_id is made
-- of cause_key and `since`, the instant at which the cause began to hold, so a crash never raises the same thing twice.
create table alerts (
    alert_id varchar not null,
    cause_key varchar not null,
    kind varchar not null,
    owner_team varchar,
    class varchar,
    category varchar,
    system varchar,
    promise varchar,
    group_id varchar,
    title varchar not null,
    since timestamptz not null,
    raised_at timestamptz not null
);

-- alert_members: one row per thing that an alert is about, from joined_at on. Amounts in reporting currency.
create table alert_members (
    member_no bigint not null,
    alert_id varchar not null,
    subject varchar not null,
    lead_key ubigint,
    object_type varchar,
    object_id varchar,
    amount decimal(18, 2),
    since timestamptz not null,
    joined_at timestamptz not null
);

-- alert_departures: at most one row per member: when it left, why (withdrawn, kept_late, healed, ...) and in what words.
create table alert_departures (
    member_no bigint not null,
    left_at timestamptz not null,
    because varchar not null,
    detail varchar not null
);

-- alert_events: one row per turn an alert took: raised, updated, eased (some left), escalated, and at the end resolved or withdrawn.
create table alert_events (
    event_no bigint not null,
    alert_id varchar not null,
    happened_at timestamptz not null,
    event varchar not null,
    detail varchar not null
);

-- alert_deliveries: the outbox, one row per message to one channel, in order of delivery_no. state: pending, delivered,
-- failed (given up) or dropped (healed before it was tried). `attempt_count` counts a try before it is made.
create table alert_deliveries (
    delivery_no bigint not null,
    delivery_id varchar not null,
    alert_id varchar not null,
    cause_key varchar not null,
    channel varchar not null,
    event varchar not null,
    created_at timestamptz not null,
    message varchar not null,
    not_before timestamptz not null,
    state varchar not null,
    attempt_count integer not null,
    next_attempt_at timestamptz not null,
    settled_at timestamptz,
    detail varchar
);
