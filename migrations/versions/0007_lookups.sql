-- Receipts name their events: each is looked up by key, whatever the planner believes of a month.

-- Without hash and merge joins a month could still be read whole for every receipt, and was: where it is analysed while a long
-- transaction is filling it, the rows that nobody sees yet are counted as none. So the other ways of reading it are shut too.
ALTER FUNCTION receipts_name_events() SET enable_seqscan = off;
ALTER FUNCTION receipts_name_events() SET enable_bitmapscan = off;
ALTER FUNCTION receipts_name_events() SET enable_material = off;
