BEGIN TRANSACTION;
CREATE TABLE message (id text primary key, session_id text, time_created integer, time_updated integer, data text);
INSERT INTO "message" VALUES('msg_1','ses_1',1795168860000,1795168860000,'{"role": "user", "time": {"created": 1795168860000}}');
INSERT INTO "message" VALUES('msg_2','ses_1',1795168861000,1795168861000,'{"role": "assistant", "parentID": "msg_1", "providerID": "anthropic", "modelID": "claude-sonnet-4-5-20250929", "time": {"created": 1795168861000, "completed": 1795168869000}, "path": {"cwd": "/home/ada/shop", "root": "/home/ada/shop"}, "cost": 0.02, "tokens": {"input": 900, "output": 120, "reasoning": 0, "cache": {"read": 3000, "write": 500}}}');
CREATE TABLE part (id text primary key, message_id text, session_id text, time_created integer, time_updated integer, data text);
CREATE TABLE session (id text primary key, project_id text, parent_id text, directory text, title text, time_created integer, time_updated integer);
INSERT INTO "session" VALUES('ses_1','p',NULL,'/home/ada/shop','t',1795168860000,1795168861000);
COMMIT;
