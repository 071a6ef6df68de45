-- order_currencies: one row per currency that an order is in, by name. For select boxes.
-- columns: currency
select distinct currency from timelines where currency is not null order by currency
