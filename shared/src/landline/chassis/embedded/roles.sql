-- Roles and schemas of Landline: run once, as a role that may create roles, connected to Landline's database.
-- Running it again changes nothing. `make run` runs this same text; deploy/postgres/roles.sql is a copy of it
-- (a test keeps the two equal).
--
-- landline_owner owns every schema and table and runs the migrations. Each service logs in with its own role,
-- sees its own schema only, and is subject to row-level security: it owns nothing and may not bypass it.
-- Passwords are not here. Set them next:  ALTER ROLE call_control PASSWORD '...';
DO $$
DECLARE
    name text;
    services constant text[] := ARRAY['provisioning', 'call_control', 'billing', 'notifier'];
BEGIN
    FOREACH name IN ARRAY services || 'landline_owner'::text LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = name AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'role % may bypass row-level security: ALTER ROLE % NOSUPERUSER NOBYPASSRLS first', name, name;
        END IF;
    END LOOP;

    -- Who is no superuser can give a schema only to a role it is a member of.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT landline_owner TO %I', current_user);
    END IF;

    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO landline_owner', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;

    FOREACH name IN ARRAY services LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = name) THEN
            EXECUTE format('CREATE SCHEMA %I AUTHORIZATION landline_owner', name);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', name, name);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE landline_owner IN SCHEMA %I '
                       'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', name, name);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE landline_owner IN SCHEMA %I '
                       'GRANT USAGE, SELECT ON SEQUENCES TO %I', name, name);
        EXECUTE format('ALTER ROLE %I SET search_path = %I', name, name);
    END LOOP;
END
$$;
