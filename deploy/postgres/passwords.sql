-- The roles' passwords, from files (psql). Runs after roles.sql at every start, so that a changed secret counts.
\set ON_ERROR_STOP on
\set owner `cat /run/secrets/pg_owner_password`
\set provisioning `cat /run/secrets/pg_password_provisioning`
\set call_control `cat /run/secrets/pg_password_call_control`
\set billing `cat /run/secrets/pg_password_billing`
\set notifier `cat /run/secrets/pg_password_notifier`
BEGIN;
ALTER ROLE landline_owner PASSWORD :'owner';
ALTER ROLE provisioning PASSWORD :'provisioning';
ALTER ROLE call_control PASSWORD :'call_control';
ALTER ROLE billing PASSWORD :'billing';
ALTER ROLE notifier PASSWORD :'notifier';
COMMIT;
