# A Neo4j server without Docker, from Maven artifacts (see server.py beside this file).

.PHONY: neo4j neo4j-stop neo4j-env

# Plain Python 3.11 is enough: the server needs nothing of the virtual environment.
NEO4J_SERVER := $(PYTHON) deploy/neo4j/server.py

neo4j: ## Start a Neo4j server on loopback; returns when queries work (needs a JDK 17 and Maven)
	@$(MAKE) -s system-deps SYSTEM_TOOLS="javac:openjdk-17-jdk-headless mvn:maven"
	@$(NEO4J_SERVER) start

neo4j-stop: ## Stop the server that `make neo4j` started
	@$(NEO4J_SERVER) stop

neo4j-env: ## Print the lines that tell graphscan where the server is (README shows how)
	@$(NEO4J_SERVER) env
