\set account random(1, 20000)
\set amount random(-500, 500)
begin;
update accounts set balance = balance + :amount where id = :account;
insert into history (account, amount, at) values (:account, :amount, now());
end;
