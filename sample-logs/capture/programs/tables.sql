create table accounts (id integer primary key, owner text not null, balance bigint not null check (balance > -1000000));
create table history (account integer not null references accounts, amount integer, at timestamptz);
insert into accounts select n, 'owner ' || n, 1000 from generate_series(1, 20000) n;
alter table accounts set (autovacuum_vacuum_threshold = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_analyze_threshold = 50, autovacuum_analyze_scale_factor = 0);
create index on history (account);
