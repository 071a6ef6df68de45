-- watermarks: one row per poller of an HTTP interface: how far it has read. Written after what it read is durable, so a crash reads again, never too little.
create table watermarks (
    poller varchar primary key,
    watermark varchar not null,
    kept_at timestamptz not null
);
