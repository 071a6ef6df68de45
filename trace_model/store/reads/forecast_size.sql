-- forecast_size: one row: how many orders there are, from which a backtest takes a sample.
-- columns: timeline_count
select count(*) as timeline_count from timelines
